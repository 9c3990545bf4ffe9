<?php
/**
 * Personal data among our order meta.
 *
 * @package PixelConnector
 */

namespace PixelConnector;

defined( 'ABSPATH' ) || exit;

/**
 * Exports and erases the stamp of an order. The event's id and the choice itself stay: they name nobody, and without them a
 * purchase could be sent again.
 */
final class OrderData {

	private const PERSONAL = array( 'ttclid', 'ttp', 'page_url', 'referrer', 'visitor_id', 'country' );
	private const SHOWN    = array( 'consent', 'consent_at', 'consent_source', 'gpc', 'ttclid', 'ttp', 'page_url', 'referrer', 'visitor_id', 'country', 'event_id' );
	private const OURS     = 'pixel-connector-';

	/**
	 * The stamp of an order for the exporter, or null.
	 *
	 * @param \WC_Order $order Order.
	 */
	public static function export( \WC_Order $order ): ?array {
		$data = array();
		foreach ( self::SHOWN as $name ) {
			$value = OrderMeta::get( $order, $name );
			if ( '' !== $value ) {
				$data[] = array(
					'name'  => $name,
					'value' => $value,
				);
			}
		}
		if ( ! $data ) {
			return null;
		}
		$number = array(
			'name'  => 'order',
			'value' => $order->get_order_number(),
		);
		return self::group( 'orders', 'order-' . $order->get_id(), array_merge( array( $number ), $data ) );
	}

	/**
	 * Removes what is personal; true when there was something.
	 *
	 * @param \WC_Order $order Order.
	 */
	public static function erase( \WC_Order $order ): bool {
		$changed = OrderMeta::set( $order, array_fill_keys( self::PERSONAL, null ) );
		if ( $changed ) {
			OrderMeta::save_quietly( $order );
		}
		return $changed;
	}

	/**
	 * What the connector answered, for the exporter.
	 *
	 * @param array $answer Decoded answer.
	 */
	public static function from_connector( array $answer ): array {
		$items = array();
		foreach ( array_filter( (array) ( $answer['items'] ?? array() ), 'is_array' ) as $number => $item ) {
			$data = array();
			foreach ( array_filter( (array) ( $item['data'] ?? array() ), 'is_array' ) as $pair ) {
				$data[] = array(
					'name'  => sanitize_text_field( (string) ( $pair['name'] ?? '' ) ),
					'value' => esc_html( (string) ( $pair['value'] ?? '' ) ),
				);
			}
			$items[] = self::group( sanitize_key( (string) ( $item['group'] ?? 'events' ) ), sanitize_key( (string) ( $item['id'] ?? $number ) ), $data );
		}
		return $items;
	}

	/**
	 * Says in the export itself that the connector's part is missing.
	 *
	 * @param string $message Why.
	 */
	public static function failure( string $message ): array {
		$data = array(
			array(
				'name'  => __( 'Not complete', 'pixel-connector' ),
				'value' => esc_html( $message ),
			),
		);
		return self::group( 'connector', 'failure', $data );
	}

	/**
	 * An entry of the export, in words for the person whose data it is.
	 *
	 * @param string $group Group.
	 * @param string $id    Id in it.
	 * @param array  $data  Names and values.
	 */
	private static function group( string $group, string $id, array $data ): array {
		$whole = __( 'Advertising measurement (TikTok)', 'pixel-connector' );
		$parts = array(
			'orders'             => __( 'your orders', 'pixel-connector' ),
			'webhooksofthestore' => __( 'what the store reported', 'pixel-connector' ),
			'eventsfortiktok'    => __( 'events', 'pixel-connector' ),
			'consent'            => __( 'your choices', 'pixel-connector' ),
		);
		$names = self::names();
		return array(
			'group_id'    => self::OURS . $group,
			'group_label' => isset( $parts[ $group ] ) ? $whole . ': ' . $parts[ $group ] : $whole,
			'item_id'     => $id,
			'data'        => array_map(
				static function ( array $pair ) use ( $names ) {
					return array( 'name' => $names[ $pair['name'] ] ?? $pair['name'] ) + $pair;
				},
				$data
			),
		);
	}

	/**
	 * What each value is called.
	 *
	 * @return string[]
	 */
	private static function names(): array {
		return array(
			'order'          => __( 'Order', 'pixel-connector' ),
			'consent'        => __( 'Your choice', 'pixel-connector' ),
			'consent_at'     => __( 'Time of your choice', 'pixel-connector' ),
			'consent_source' => __( 'Where it was made', 'pixel-connector' ),
			'status'         => __( 'Your choice', 'pixel-connector' ),
			'stated_at'      => __( 'Time of your choice', 'pixel-connector' ),
			'source'         => __( 'Where it was made', 'pixel-connector' ),
			'recorded_at'    => __( 'Recorded', 'pixel-connector' ),
			'gpc'            => __( 'Global Privacy Control signal', 'pixel-connector' ),
			'ttclid'         => __( 'Click id of a TikTok ad (ttclid)', 'pixel-connector' ),
			'ttp'            => __( 'TikTok\'s cookie (_ttp)', 'pixel-connector' ),
			'page_url'       => __( 'Page', 'pixel-connector' ),
			'referrer'       => __( 'Page before', 'pixel-connector' ),
			'visitor_id'     => __( 'Random visitor id', 'pixel-connector' ),
			'country'        => __( 'Country', 'pixel-connector' ),
			'event_id'       => __( 'Id of the event', 'pixel-connector' ),
			'topic'          => __( 'Kind of report', 'pixel-connector' ),
			'received_at'    => __( 'Received', 'pixel-connector' ),
			'state'          => __( 'State', 'pixel-connector' ),
			'body'           => __( 'Content', 'pixel-connector' ),
			'event'          => __( 'Event', 'pixel-connector' ),
			'event_time'     => __( 'Time of the event', 'pixel-connector' ),
			'payload'        => __( 'What was prepared for TikTok', 'pixel-connector' ),
			'delivered_at'   => __( 'Accepted by TikTok', 'pixel-connector' ),
		);
	}
}
