<?php
/**
 * WordPress' tools for personal data.
 *
 * @package PixelConnector
 */

namespace PixelConnector;

defined( 'ABSPATH' ) || exit;

/**
 * Text for the privacy policy; exporter and eraser that ask the connector and look at the orders.
 */
final class Privacy {

	private const PAGE_SIZE = 20;

	/**
	 * The connection.
	 *
	 * @var Connection
	 */
	private $connection;

	/**
	 * Takes the connection.
	 *
	 * @param Connection $connection The connection.
	 */
	public function __construct( Connection $connection ) {
		$this->connection = $connection;
	}

	/**
	 * Adds the hooks.
	 */
	public function register(): void {
		Guard::on( 'admin_init', array( $this, 'add_policy_text' ) );
		Guard::on( 'wp_privacy_personal_data_exporters', array( $this, 'add_exporter' ) );
		Guard::on( 'wp_privacy_personal_data_erasers', array( $this, 'add_eraser' ) );
	}

	/**
	 * The suggested text.
	 */
	public function add_policy_text(): void {
		if ( ! function_exists( 'wp_add_privacy_policy_content' ) ) {
			return;
		}
		$paragraphs = array(
			__( 'With your consent (where the law asks for it), we tell TikTok which products you look at, put in your cart and buy, so that we can measure our advertising. For that we use the TikTok pixel in your browser and TikTok\'s Events API.', 'pixel-connector' ),
			__( 'We send: the event and its time, product, price and currency; the address of the page; your IP address and browser; the click id of a TikTok ad (ttclid) and TikTok\'s own cookie (_ttp), if there are any; and, for orders, your e-mail address, phone number and customer number as irreversible hashes.', 'pixel-connector' ),
			__( 'We store in your browser the cookie "pixel_connector" (180 days: a random visitor id, the click id, your choice) and, for five minutes after you put something in the cart, "pixel_connector_cart". With your order we store your choice, its time and source, the click id and the visitor id.', 'pixel-connector' ),
			__( 'You can withdraw your consent at any time. We honour the Global Privacy Control signal of your browser.', 'pixel-connector' ),
		);
		wp_add_privacy_policy_content( __( 'Pixel Connector for TikTok', 'pixel-connector' ), '<p>' . implode( '</p><p>', array_map( 'esc_html', $paragraphs ) ) . '</p>' );
	}

	/**
	 * Adds the exporter.
	 *
	 * @param mixed $exporters Exporters.
	 * @return mixed
	 */
	public function add_exporter( $exporters ) {
		$exporters['pixel-connector'] = array(
			'exporter_friendly_name' => __( 'Pixel Connector', 'pixel-connector' ),
			'callback'               => array( $this, 'export' ),
		);
		return $exporters;
	}

	/**
	 * Adds the eraser.
	 *
	 * @param mixed $erasers Erasers.
	 * @return mixed
	 */
	public function add_eraser( $erasers ) {
		$erasers['pixel-connector'] = array(
			'eraser_friendly_name' => __( 'Pixel Connector', 'pixel-connector' ),
			'callback'             => array( $this, 'erase' ),
		);
		return $erasers;
	}

	/**
	 * Exports one page: our order meta, and on the first page what the connector holds.
	 *
	 * @param string $email E-mail address.
	 * @param int    $page  Page, from 1.
	 */
	public function export( $email, $page = 1 ): array {
		$orders = $this->orders( (string) $email, (int) $page );
		$items  = array_map( array( OrderData::class, 'export' ), $orders );
		if ( 1 === (int) $page && $this->connection->exists() ) {
			$answer = ( new ConnectorClient( $this->connection ) )->post( '/privacy/export', array( 'email' => (string) $email ) );
			$items  = array_merge( $items, is_wp_error( $answer ) ? array( OrderData::failure( $answer->get_error_message() ) ) : OrderData::from_connector( $answer ) );
		}
		return array(
			'data' => array_values( array_filter( $items ) ),
			'done' => count( $orders ) < self::PAGE_SIZE,
		);
	}

	/**
	 * Erases one page; the connector's part last, so that a failure there is reported with the rest done.
	 *
	 * @param string $email E-mail address.
	 * @param int    $page  Page, from 1.
	 */
	public function erase( $email, $page = 1 ): array {
		$orders  = $this->orders( (string) $email, (int) $page );
		$removed = count( array_filter( array_map( array( OrderData::class, 'erase' ), $orders ) ) );
		$done    = count( $orders ) < self::PAGE_SIZE;
		$result  = array(
			'items_removed'  => $removed > 0,
			'items_retained' => false,
			'messages'       => array(),
			'done'           => $done,
		);
		if ( ! $done || ! $this->connection->exists() ) {
			return $result;
		}
		$answer = ( new ConnectorClient( $this->connection ) )->post( '/privacy/erase', array( 'email' => (string) $email ) );
		if ( is_wp_error( $answer ) ) {
			$result['items_retained'] = true;
			$result['messages'][]     = $answer->get_error_message();
			return $result;
		}
		$result['items_removed']  = $result['items_removed'] || (int) ( $answer['erased'] ?? 0 ) > 0;
		$result['items_retained'] = (int) ( $answer['retained'] ?? 0 ) > 0;
		$result['messages']       = array_map( 'sanitize_text_field', array_filter( (array) ( $answer['messages'] ?? array() ), 'is_string' ) );
		return $result;
	}

	/**
	 * One page of a person's orders, by billing address or account.
	 *
	 * @param string $email E-mail address.
	 * @param int    $page  Page, from 1.
	 * @return \WC_Order[]
	 */
	private function orders( string $email, int $page ): array {
		$user   = get_user_by( 'email', $email );
		$search = array( 'customer' => $user ? array( $email, (int) $user->ID ) : array( $email ) );
		$orders = wc_get_orders(
			$search + array(
				'limit'   => self::PAGE_SIZE,
				'page'    => max( 1, $page ),
				'orderby' => 'ID',
				'order'   => 'ASC',
			)
		);
		return array_filter(
			(array) $orders,
			static function ( $order ) {
				return $order instanceof \WC_Order;
			}
		);
	}
}
