<?php
/**
 * What follows from a beacon.
 *
 * @package PixelConnector
 */

namespace PixelConnector;

defined( 'ABSPATH' ) || exit;

/**
 * Turns a checked beacon into a webhook, or into an order's record that the browser has sent.
 */
final class Beacon {

	/**
	 * The connection.
	 *
	 * @var Connection
	 */
	private $connection;

	/**
	 * The checked beacon.
	 *
	 * @var BeaconInput
	 */
	private $input;

	/**
	 * The order whose key the beacon knew, or null.
	 *
	 * @var \WC_Order|null
	 */
	private $order;

	/**
	 * Takes a checked beacon.
	 *
	 * @param Connection     $connection The connection.
	 * @param BeaconInput    $input      The beacon.
	 * @param \WC_Order|null $order      Order whose key the beacon knew.
	 */
	public function __construct( Connection $connection, BeaconInput $input, ?\WC_Order $order ) {
		$this->connection = $connection;
		$this->input      = $input;
		$this->order      = $order;
	}

	/**
	 * Does what must be done before the answer, and puts off the rest.
	 */
	public function accept(): void {
		switch ( $this->input->name ) {
			case 'browser_sent':
				$this->record_browser_sent();
				return;
			case 'consent_changed':
				SessionChoice::remember( $this->visitor()->consent );
				AfterResponse::run( array( $this, 'tell_consent' ) );
				return;
			default:
				AfterResponse::run( array( $this, 'tell_event' ) );
		}
	}

	/**
	 * Notes on the order whether its browser has sent the purchase. The save queues an order webhook, or joins one that waits;
	 * after the response those leave at once. What was sent stays sent, whatever another tab says.
	 */
	private function record_browser_sent(): void {
		if ( null === $this->order ) {
			return;
		}
		$sent = $this->input->fields['sent'] || '1' === OrderMeta::get( $this->order, 'browser_sent' );
		if ( OrderMeta::set( $this->order, array( 'browser_sent' => $sent ? '1' : '0' ) ) ) {
			$this->order->set_date_modified( time() );
			$this->order->save();
		}
		$order_id = $this->order->get_id();
		AfterResponse::run(
			static function () use ( $order_id ) {
				OrderWebhooks::deliver( $order_id );
			}
		);
	}

	/**
	 * Tells a choice. It must not get lost, so what cannot be delivered now goes by the queue: there are few of these.
	 */
	public function tell_consent(): void {
		$visitor = $this->visitor();
		$own     = null === $this->order ? array() : array( 'order_id' => $this->order->get_id() );
		$id      = $visitor->id_for_withdrawal();
		if ( ! $own && null === $id ) {
			return;
		}
		$who       = $visitor->to_array();
		$who['id'] = $id;
		$text      = EventBody::text( $visitor, array( 'visitor' => $who ) + $own, $this->input->fields['event_id'] );
		$outcome   = Delivery::now( Topics::CONSENT_CHANGED, $text );
		if ( 'busy' === $outcome || 'failed' === $outcome ) {
			foreach ( Delivery::webhooks( Topics::CONSENT_CHANGED ) as $webhook ) {
				Delivery::queue( $webhook->get_id(), $text );
			}
		}
	}

	/**
	 * Tells a view or another standard event.
	 */
	public function tell_event(): void {
		$view  = 'ViewContent' === $this->input->name;
		$topic = $view ? Topics::PRODUCT_VIEWED : Topics::STANDARD_EVENT;
		$own   = $view ? $this->viewed() : $this->standard_event();
		if ( null === $own ) {
			return;
		}
		$text    = EventBody::text( $this->visitor(), $own, $this->input->fields['event_id'] );
		$outcome = Delivery::now( $topic, $text );
		if ( 'busy' === $outcome || 'failed' === $outcome ) {
			BeaconLog::count( 'busy' === $outcome ? 'dropped' : 'failed' );
		}
	}

	/**
	 * The viewed item, or null when there is no such product.
	 */
	private function viewed(): ?array {
		$item = $this->item();
		return null === $item ? null : array( 'item' => $item );
	}

	/**
	 * Name, items, value and search term of another standard event.
	 */
	private function standard_event(): array {
		$name = $this->input->name;
		$own  = array( 'name' => $name );
		if ( in_array( $name, array( 'InitiateCheckout', 'AddPaymentInfo' ), true ) ) {
			$own['items'] = Items::of_lines( CartSession::lines() );
		} elseif ( null !== $this->item() ) {
			$own['items'] = array( $this->item() );
		}
		if ( ! empty( $own['items'] ) ) {
			$own['value']    = Items::value( $own['items'] );
			$own['currency'] = get_woocommerce_currency();
		}
		if ( 'Search' === $name ) {
			$own['search_string'] = $this->input->fields['search'];
		}
		return $own;
	}

	/**
	 * The product that the beacon names.
	 */
	private function item(): ?array {
		$fields = $this->input->fields;
		return null === $fields['product_id'] ? null : Items::of_product( $fields['product_id'], (int) $fields['variation_id'] );
	}

	/**
	 * Who sent the beacon.
	 */
	private function visitor(): Visitor {
		return new Visitor( $this->connection->setting( 'consent_policy' ), $this->input->traits, $this->input->fields['consent'] );
	}
}
